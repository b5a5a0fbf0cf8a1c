"""Numbers only: metrics, operating point, calibration, intervals over patients.

`assess.assess` is the way in; `calls.Calls` and `assess.ScoreSet` are what figures are made of.
Nothing here knows TensorFlow, and importing a module loads neither scikit-learn nor SciPy.
"""
