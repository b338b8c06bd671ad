"""What every model needs and none should have to write: reading, checking, measuring, sealing.

The model itself is in `prediction.model`; nothing here knows what it predicts.
"""
