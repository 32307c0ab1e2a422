"""The questions: functions from a read connection and a range to plain JSON values.

The API, and whatever else shows figures, asks here and nowhere else. Unknown is ``None``, never 0.
"""
