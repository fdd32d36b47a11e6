# Δ of every model and benchmark from the trials of a study, beside the report's.
# Run: Rscript analyse.R results/default      (after mtpa-run report --csv)
stem <- commandArgs(trailingOnly = TRUE)[1]
read <- function(table) read.csv(paste0(stem, ".", table, ".csv"), comment.char = "#")

# Without twins, which have "~" in their ids, and the neutral control.
trials <- subset(read("trials"), format != "neutral" & !grepl("~", persona_id, fixed = TRUE))

# What has no score (unparsed, refused, failed) makes no pair. Means are taken over rotations, replicates and wordings,
# then over a persona's items, then over the personas.
delta <- function(rows, measure) {
  rows$score <- rows[[measure]]
  rows <- subset(rows, !is.na(score))
  without <- aggregate(score ~ item_id + rotation, data = subset(rows, persona_id == ""), FUN = mean)
  pairs <- merge(subset(rows, persona_id != ""), without, by = c("item_id", "rotation"), suffixes = c("", "_without"))
  pairs$d <- pairs$score - pairs$score_without
  items <- aggregate(d ~ persona_id + item_id, data = pairs, FUN = mean)
  people <- aggregate(d ~ persona_id, data = items, FUN = mean)
  mean(people$d)
}

effects <- subset(read("effects"), attribute == "all")
effects$delta <- mapply(function(one, other, measure) {
  delta(subset(trials, model == one & benchmark == other), measure)
}, effects$model, effects$benchmark, effects$measure)
shown <- effects[c("model", "benchmark", "measure", "delta", "effect")]
print(shown, digits = 6, row.names = FALSE)
