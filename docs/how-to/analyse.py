"""The default study's results in pandas, cell by cell: Δ by hand, and which answers change."""

# %% The scores: one row a trial
import pandas as pd

import mtpa

study = mtpa.Study.load("mtpa.toml")
scores = mtpa.load_scores(study.database)
print(scores.groupby(["benchmark", "format", "status"], observed=True).size())

# %% Δ as mtpa reports it, overall and by country
effects = mtpa.effects(scores, by=["country"])
print(
    effects[["benchmark", "measure", "attribute", "level", "personas", "effect", "items_low", "items_high"]].to_string()
)

# %% Δ by hand: each answer beside the baseline's to the same item in the same order
asked = ["benchmark", "item_id", "rotation"]
valid = scores[scores["value"].notna() & (scores["format"] != "neutral")]
alone = valid["persona_id"] == ""
without = valid[alone].groupby(asked, observed=True)["value"].mean().rename("without")
pairs = valid[~alone].join(without, on=asked).dropna(subset="without")
pairs["d"] = pairs["value"] - pairs["without"]
items = pairs.groupby(["benchmark", "persona_id", "item_id"], observed=True)["d"].mean()
by_hand = items.groupby(["benchmark", "persona_id"], observed=True).mean().groupby("benchmark", observed=True).mean()
reported = effects[(effects["attribute"] == "all") & (effects["measure"] == "value")].set_index("benchmark")["effect"]
print(pd.DataFrame({"by hand": by_hand, "reported": reported}))

# %% Which way single answers move: up, down, or not at all
print(pd.crosstab(pairs["benchmark"], pairs["d"].round(3)))

# %% The items on which personas move the score most
print(pairs.groupby(["benchmark", "item_id"], observed=True)["d"].agg(["mean", "size"]).nlargest(5, "mean"))
