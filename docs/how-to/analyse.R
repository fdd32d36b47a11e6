# Δ of every model and benchmark from the trials of a study, beside the report's.
# Run: Rscript analyse.R results/default      (after mtpa-run report --csv)
stem <- commandArgs(trailingOnly = TRUE)[1]
read <- function(table) read.csv(paste0(stem, ".", table, ".csv"), comment.char = "#")

trials <- read("trials")
# What has no value (unparsed, refused, failed) makes no pair; twins have "~" in their ids, the neutral control its format.
trials <- subset(trials, !is.na(value) & format != "neutral" & !grepl("~", persona_id, fixed = TRUE))

delta <- function(rows) {
  asked <- c("item_id", "rotation")
  without <- aggregate(value ~ item_id + rotation, data = subset(rows, persona_id == ""), FUN = mean)
  pairs <- merge(subset(rows, persona_id != ""), without, by = asked, suffixes = c("", "_without"))
  pairs$d <- pairs$value - pairs$value_without
  items <- aggregate(d ~ persona_id + item_id, data = pairs, FUN = mean) # over rotations, replicates and wordings
  people <- aggregate(d ~ persona_id, data = items, FUN = mean)
  mean(people$d)
}

effects <- subset(read("effects"), attribute == "all" & measure == "value")
effects$delta <- mapply(function(one, other) {
  delta(subset(trials, model == one & benchmark == other))
}, effects$model, effects$benchmark)
print(data.frame(effects[c("model", "benchmark", "delta")], report = effects$effect), digits = 6, row.names = FALSE)
