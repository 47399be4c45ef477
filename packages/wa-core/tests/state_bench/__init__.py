"""What the tests of the state share: cheap identities, engines that fail, a clock that is told."""
