//! What is unusual: features, training, scores with reasons.
