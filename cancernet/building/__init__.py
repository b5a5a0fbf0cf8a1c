"""From a data set as it was downloaded to one that is split, checked and ready to train on."""
