"""The WhatsApp multi-device protocol core and the storage contract.

Nothing is imported here: take what you need from the room it lives in, `wa_core.storage` for
engines, `wa_core.errors` for what can go wrong. So a small import stays a small import.
"""
