// The validator @name@: numbers that are not there, or no numbers. Put your own rule in its place.

#include <math.h>
#include <stdlib.h>

#include "validator.h"

const tm_about tm_about_this = {
    .name = "@name@",
    .version = "0.1.0",
    .summary = "Numbers are there, and are finite",
    .properties = "\"at_most\":{\"type\":\"number\",\"minimum\":0,\"maximum\":1,\"default\":0.05,"
                  "\"description\":\"The share of missing numbers that is fine\"}",
};

typedef struct {
  const tm_table *table;
  size_t checked, failed;
} tally_t;

static tally_t *tallies;
static size_t count;
static double at_most;

// `tables` are those of the dataset: say which columns you read, and in which order you want the rows.
void tm_open(tm_config config, tm_tables tables, tm_window window, tm_selections *to) {
  (void)window;
  at_most = tm_number(config, "at_most", 0.05);
  for (size_t t = 0; t < tables.count; t += 1) {
    const tm_table *table = &tables.tables[t];
    tally_t *tally = NULL;
    for (size_t f = 0; f < table->fields.len; f += 1) {
      if (table->fields.ptr[f].data_type != TM_FLOAT64) continue;
      if (!tally) {
        tally = tm_grow((void **)&tallies, &count, sizeof *tally);
        tally->table = table;
        tm_select(to, table, NULL);
      }
      char *name = tm_copied(table->fields.ptr[f].name);
      tm_select_column(to, name);
      free(name);
    }
  }
}

// Rows come in batches; keep counts rather than rows.
void tm_observe(size_t selection, const tm_batch *batch) {
  for (size_t column = 0; column < batch->columns.len; column += 1) {
    for (size_t row = 0; row < batch->rows; row += 1) {
      bool fine = tm_is_there(batch, column, row) && isfinite(tm_value(batch, column, TM_FLOAT64, row));
      tallies[selection].failed += !fine;
    }
    tallies[selection].checked += batch->rows;
  }
}

void tm_finish(tm_report *to) {
  for (size_t i = 0; i < count; i += 1) {
    const tally_t *tally = &tallies[i];
    bool bad = (double)tally->failed > (double)tally->checked * at_most;
    tm_finding *finding = tm_found(
        to, "numbers-are-there", bad ? TELEMILL_PLUGIN_TYPES_SEVERITY_HIGH : TELEMILL_PLUGIN_TYPES_SEVERITY_INFO,
        tm_string("%zu of %zu numbers are missing or not finite", tally->failed, tally->checked));
    char *table = tm_copied(tally->table->name);
    finding->table = tm_maybe(table);
    free(table);
    finding->failed = tally->failed;
    finding->checked = tally->checked;
  }
  tm_metric(to, "tables", (double)count);
}
