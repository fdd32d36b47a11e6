"""Who was asked: respondents, samples of them, their counterfactual twins."""
