// What a validator in C defines, and what it is given.
#ifndef TELEMILL_VALIDATOR_H
#define TELEMILL_VALIDATOR_H

#include "telemill.h"

typedef telemill_plugin_types_table_t tm_table;
typedef telemill_plugin_types_batch_t tm_batch;
typedef exports_telemill_plugin_validator_list_selection_t tm_selections;
typedef exports_telemill_plugin_validator_report_t tm_report;
typedef exports_telemill_plugin_validator_finding_t tm_finding;
typedef struct { const tm_table *tables; size_t count; } tm_tables;

enum tm_type { TM_BOOLEAN, TM_INT32, TM_INT64, TM_FLOAT32, TM_FLOAT64, TM_TEXT, TM_DATE, TM_TIMESTAMP };

// Asks for columns of a table; the columns of a batch come in this order. `order_by` may be NULL.
void tm_select(tm_selections *to, const tm_table *table, const char *order_by);
void tm_select_column(tm_selections *to, const char *column);
// Whether a row has a value, and the value.
bool tm_is_there(const tm_batch *batch, size_t column, size_t row);
double tm_value(const tm_batch *batch, size_t column, enum tm_type type, size_t row);
// Bytes of a text, which has no zero at its end.
plugin_string_t tm_text_at(const tm_batch *batch, size_t column, size_t row);
// `severity` high and critical fail the report; what is not said is set in what it returns.
tm_finding *tm_found(tm_report *to, const char *rule, telemill_plugin_types_severity_t severity, plugin_string_t message);
void tm_metric(tm_report *to, const char *name, double value);

// The plugin's own functions. The tables stay for as long as the validator lives.
void tm_open(tm_config config, tm_tables tables, tm_window window, tm_selections *to);
void tm_observe(size_t selection, const tm_batch *batch);
void tm_finish(tm_report *to);

#endif
