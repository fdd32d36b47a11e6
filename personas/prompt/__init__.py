"""From a respondent's answers to the words of a prompt."""
