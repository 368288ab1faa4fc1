// Plans a day here; `telemill plugin test` holds the component to all laws.

#include <assert.h>
#include <stdio.h>

#include "incident_model.h"

void __wasm_import_telemill_plugin_host_log(int32_t level, uint8_t *text, size_t length) {
  fprintf(stderr, "%d %.*s\n", (int)level, (int)length, (const char *)text);
}

int main(void) {
  plugin_string_t signal = tm_string("load");
  tm_target target = {.name = tm_string("a"), .signals = {&signal, 1}};
  tm_incidents made = {0};
  plugin_string_t config = tm_string("{\"per_day\": 5, \"factor\": 3}");
  tm_open(tm_config_of(&config), 1, (tm_targets){&target, 1});
  tm_plan((tm_window){TM_DAY, 2 * TM_DAY}, &made);
  assert(made.len == 5);
  for (size_t i = 0; i < made.len; i += 1) assert(made.ptr[i].window.start >= TM_DAY && made.ptr[i].effects.len == 1);
  puts("ok");
}
