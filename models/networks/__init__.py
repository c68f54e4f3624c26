"""Networks: functions that return plain `keras.Model`s."""
