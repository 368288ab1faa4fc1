// Shows the validator a batch here; `telemill plugin test` holds the component to all laws.

#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "validator.h"

void __wasm_import_telemill_plugin_host_log(int32_t level, uint8_t *text, size_t length) {
  fprintf(stderr, "%d %.*s\n", (int)level, (int)length, (const char *)text);
}

int main(void) {
  telemill_plugin_types_field_t field = {.name = tm_string("value"), .data_type = TM_FLOAT64};
  tm_table table = {.name = tm_string("readings"), .fields = {&field, 1}};
  plugin_string_t config = tm_string("{\"at_most\": 0.1}");
  tm_selections selections = {0};
  tm_open(tm_config_of(&config), (tm_tables){&table, 1}, (tm_window){0, TM_DAY}, &selections);
  assert(selections.len == 1);
  double values[4] = {1.0, 0.0, NAN, 4.0};
  uint8_t valid = 0x0d;
  telemill_plugin_types_column_t column = {
      .values = {TELEMILL_PLUGIN_TYPES_VALUES_PACKED, {.packed = {(uint8_t *)values, sizeof values}}},
      .validity = {true, {&valid, 1}},
  };
  tm_batch batch = {.rows = 4, .columns = {&column, 1}};
  tm_report report = {0};
  tm_observe(0, &batch);
  tm_finish(&report);
  assert(report.findings.len == 1 && report.findings.ptr[0].failed == 2);
  assert(report.findings.ptr[0].severity == TELEMILL_PLUGIN_TYPES_SEVERITY_HIGH);
  puts("ok");
}
