"""What is a trained model? Networks, weights, classifiers, localizers."""
