// Runs one window of one partition here and looks at its rows; `telemill plugin test` holds the component to all laws.

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "generator.h"

void __wasm_import_telemill_plugin_host_log(int32_t level, uint8_t *text, size_t length) {
  fprintf(stderr, "%d %.*s\n", (int)level, (int)length, (const char *)text);
}

int main(void) {
  plugin_string_t config = tm_string("{\"sensors\": 4, \"celsius\": 21}");
  tm_shard shard = {.seed = 42, .partition = 0, .partitions = 2, .span = {0, TM_HOUR}};
  tm_window window = {0, TM_MINUTE};
  telemill_plugin_types_error_t error;
  exports_telemill_plugin_generator_list_batch_t made;
  assert(exports_telemill_plugin_generator_open(&config, &shard, &error));
  assert(exports_telemill_plugin_generator_advance(&window, &made, &error));
  // Two of four sensors, six steps.
  assert(made.len == 1 && made.ptr[0].rows == 12);
  const double *celsius = (const double *)made.ptr[0].columns.ptr[2].values.val.packed.ptr;
  for (size_t row = 0; row < 12; row += 1) assert(celsius[row] > 15.0 && celsius[row] < 27.0);
  puts("ok");
}
