#include "validator.h"

#include <string.h>

#define GROW(list) tm_grow((void **)&(list).ptr, &(list).len, sizeof *(list).ptr)

typedef telemill_plugin_types_error_t error_t;

void tm_select(tm_selections *to, const tm_table *table, const char *order_by) {
  exports_telemill_plugin_validator_selection_t *selection = GROW(*to);
  selection->table = tm_string("%.*s", (int)table->name.len, table->name.ptr);
  if (order_by) *(plugin_string_t *)GROW(selection->order_by) = tm_string("%s", order_by);
}

void tm_select_column(tm_selections *to, const char *column) {
  *(plugin_string_t *)GROW(to->ptr[to->len - 1].columns) = tm_string("%s", column);
}

bool tm_is_there(const tm_batch *batch, size_t column, size_t row) {
  const telemill_plugin_types_column_t *of = &batch->columns.ptr[column];
  return !of->validity.is_some || (of->validity.val.ptr[row / 8] >> (row % 8) & 1);
}

double tm_value(const tm_batch *batch, size_t column, enum tm_type type, size_t row) {
  const uint8_t *bytes = batch->columns.ptr[column].values.val.packed.ptr;
  if (type == TM_BOOLEAN) return bytes[row / 8] >> (row % 8) & 1;
  if (type == TM_FLOAT64) {
    double value;
    memcpy(&value, bytes + row * 8, 8);
    return value;
  }
  if (type == TM_FLOAT32) {
    float value;
    memcpy(&value, bytes + row * 4, 4);
    return value;
  }
  if (type == TM_INT64 || type == TM_TIMESTAMP) {
    int64_t value;
    memcpy(&value, bytes + row * 8, 8);
    return (double)value;
  }
  int32_t value;
  memcpy(&value, bytes + row * 4, 4);
  return value;
}

plugin_string_t tm_text_at(const tm_batch *batch, size_t column, size_t row) {
  const telemill_plugin_types_values_t *values = &batch->columns.ptr[column].values;
  const telemill_plugin_types_text_t *text = &values->val.text;
  uint32_t at = (uint32_t)row, ends[2];
  if (values->tag == TELEMILL_PLUGIN_TYPES_VALUES_DICTIONARY) {
    memcpy(&at, values->val.dictionary.keys.ptr + row * 4, 4);
    text = &values->val.dictionary.values;
  }
  // Under a null stands any key, with or without a value.
  if ((size_t)at * 4 + 8 > text->offsets.len) return (plugin_string_t){0};
  memcpy(ends, text->offsets.ptr + (size_t)at * 4, 8);
  return (plugin_string_t){text->bytes.ptr + ends[0], ends[1] - ends[0]};
}

tm_finding *tm_found(tm_report *to, const char *rule, telemill_plugin_types_severity_t severity, plugin_string_t message) {
  tm_finding *finding = GROW(to->findings);
  finding->rule = tm_string("%s", rule);
  finding->severity = severity;
  finding->message = message;
  return finding;
}

void tm_metric(tm_report *to, const char *name, double value) {
  exports_telemill_plugin_validator_metric_t *metric = GROW(to->metrics);
  metric->name = tm_string("%s", name);
  metric->value = value;
}

bool exports_telemill_plugin_validator_open(plugin_string_t *config, exports_telemill_plugin_validator_list_table_t *tables,
                                            tm_window *window, tm_selections *ret, error_t *err) {
  memset(ret, 0, sizeof *ret);
  tm_open(tm_config_of(config), (tm_tables){tables->ptr, tables->len}, *window, ret);
  plugin_string_free(config);
  if (!tm_failed(err)) return true;
  exports_telemill_plugin_validator_list_selection_free(ret);
  return false;
}

bool exports_telemill_plugin_validator_observe(tm_batch *batch, error_t *err) {
  tm_observe(batch->table, batch);
  telemill_plugin_types_batch_free(batch);
  return !tm_failed(err);
}

bool exports_telemill_plugin_validator_finish(tm_report *ret, error_t *err) {
  memset(ret, 0, sizeof *ret);
  tm_finish(ret);
  if (!tm_failed(err)) return true;
  exports_telemill_plugin_validator_report_free(ret);
  return false;
}
