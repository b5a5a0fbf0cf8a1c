"""Judging a trained network: metrics, operating point, intervals, figures, report.

`cancernet.measures.assess.assess` is the way in. Nothing here knows TensorFlow,
and importing a module loads neither scikit-learn nor matplotlib.
"""
