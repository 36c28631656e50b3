"""The settings, one line each: name, default, what is allowed, importance, and where it may change.

Names, types, defaults and ranges are Apache Kafka 4.4's (and 3.9's, in `removed.py`); where Ottla's
default differs, `settings/broker.py` says so and why. `honored=True`: the value has a meaning here.
Sentences that explain a setting stand in `settings/documentation.py`.
"""
