// Runs one window of one partition here and looks at its rows; `telemill plugin test` holds the component to all laws.

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "generator.h"

void __wasm_import_telemill_plugin_host_log(int32_t level, uint8_t *text, size_t length) {
  fprintf(stderr, "%d %.*s\n", (int)level, (int)length, (const char *)text);
}

static telemill_plugin_types_error_t error;
static tm_shard shard = {.seed = 42, .partition = 0, .partitions = 2, .span = {0, TM_DAY}};

static plugin_string_t config(void) { return tm_string("{\"households\": 4}"); }

// The one batch of a window of six quarters, of two of four meters.
static telemill_plugin_types_batch_t made(int64_t start) {
  tm_window window = {start, start + TM_HOUR + TM_HOUR / 2};
  exports_telemill_plugin_generator_list_batch_t batches;
  assert(exports_telemill_plugin_generator_advance(&window, &batches, &error));
  assert(batches.len == 1 && batches.ptr[0].rows == 12);
  return batches.ptr[0];
}

static const double *column(telemill_plugin_types_batch_t batch, size_t index) {
  return (const double *)batch.columns.ptr[index].values.val.packed.ptr;
}

static plugin_list_u8_t saved(void) {
  plugin_option_list_u8_t state;
  assert(exports_telemill_plugin_generator_save(&state, &error) && state.is_some);
  return state.val;
}

static bool restored(plugin_list_u8_t state) {
  plugin_string_t text = config();
  return exports_telemill_plugin_generator_restore(&text, &shard, &state, &error);
}

int main(void) {
  plugin_string_t text = config();
  assert(exports_telemill_plugin_generator_open(&text, &shard, &error));
  telemill_plugin_types_batch_t first = made(0);
  const double *litres = column(first, 2), *total = column(first, 3);
  for (size_t row = 0; row < 12; row += 1) assert(litres[row] >= 0.0 && litres[row] < 500.0);
  for (size_t row = 2; row < 12; row += 1) assert(total[row] == total[row - 2] + litres[row]);

  // What was saved goes on with the same rows; half of it is refused.
  plugin_list_u8_t state = saved(), half = saved();
  telemill_plugin_types_batch_t next = made(TM_HOUR + TM_HOUR / 2);
  assert(column(next, 3)[0] >= total[10] && total[10] > 0.0);
  assert(restored(state));
  assert(memcmp(column(made(TM_HOUR + TM_HOUR / 2), 3), column(next, 3), 12 * sizeof(double)) == 0);
  half.len /= 2;
  assert(!restored(half) && error.tag == TELEMILL_PLUGIN_TYPES_ERROR_UNSUPPORTED_STATE);
  puts("ok");
}
