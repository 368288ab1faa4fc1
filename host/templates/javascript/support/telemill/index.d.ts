// Types of index.js, for TypeScript and for editors. Times are numbers: microseconds since 1970-01-01T00:00:00Z.

export const MILLISECOND: number;
export const SECOND: number;
export const MINUTE: number;
export const HOUR: number;
export const DAY: number;

export interface Window {
  start: number;
  end: number;
}

export function stepsOf(window: Window, step: number): Iterable<{ t: number; step: number }>;
export function hourOfDay(t: number): number;
export function weekday(t: number): number;

export type Process = bigint;
export function process(name: string): Process;
export class Steps {
  constructor(seed: number | bigint, of: Process, entity: number);
  bits(step: number): bigint;
  unit(step: number): number;
  normal(step: number): number;
  stream(step: number): Stream;
}
export function stream(seed: number | bigint, of: Process, entity: number, step: number): Stream;
export class Stream {
  constructor(low: bigint, high: bigint);
  bits(): bigint;
  unit(): number;
  chance(probability: number): boolean;
  between(low: number, high: number): number;
  below(n: number): number;
  pick<T>(list: readonly T[]): T;
  normal(mean?: number, deviation?: number): number;
  exponential(mean: number): number;
  poisson(mean: number): number;
}
export class Noise {
  constructor(seed: number | bigint, of: Process, entity: number, memory: number);
  at(step: number): number;
}
export function utf8(text: string): number[];
export function fromUtf8(bytes: Uint8Array, start?: number, end?: number): string;

export type DataType = 'boolean' | 'int32' | 'int64' | 'float32' | 'float64' | 'utf8' | 'date' | 'timestamp';
export interface Attribute {
  name: string;
  value: string;
}
export interface FieldOptions {
  nullable?: boolean;
  unit?: string;
  attributes?: [string, unknown][];
  /** The signals that may move the column, `[]` for none; the conformance check holds the model to it. */
  movedBy?: string[];
  /** The column names the target that a row belongs to: effects on others leave the row as it is; held in the same way. */
  owner?: boolean;
}
export interface DeclaredField {
  dataType: DataType;
  nullable: boolean;
  unit: string | null;
  summary: string;
  attributes: Attribute[];
}
export interface Field extends DeclaredField {
  name: string;
}
type Declare = (summary: string, options?: FieldOptions) => DeclaredField;
export const boolean: Declare;
export const int32: Declare;
export const int64: Declare;
export const float32: Declare;
export const float64: Declare;
export const text: Declare;
export const date: Declare;
export const timestamp: Declare;

export interface Table {
  name: string;
  summary: string;
  kind: 'events' | 'snapshot';
  fields: Field[];
  primaryKey: string[];
  timeField: string | null;
  attributes: Attribute[];
}
export function table(
  name: string,
  summary: string,
  fields: Record<string, DeclaredField>,
  options?: { timeField?: string; primaryKey?: string[]; kind?: 'events' | 'snapshot'; attributes?: [string, unknown][] },
): Table;

export interface Signal {
  name: string;
  unit: string | null;
  summary: string;
  table: string;
  column: string;
  inverse: boolean;
}
export function signal(
  name: string,
  summary: string,
  options: { table: string; column: string; unit?: string; inverse?: boolean },
): Signal;

export interface Target {
  name: string;
  parents: string[];
  signals: string[];
  attributes: Attribute[];
}
export function target(
  name: string,
  signals: string[],
  options?: { parents?: string[]; attributes?: Record<string, unknown> },
): Target;

export interface Simulation {
  step: number;
  tables: Table[];
  signals?: Signal[];
  targets?: Target[];
  inputs?: { table: string; fields: Record<string, DeclaredField>; required?: boolean }[];
  attributes?: [string, unknown][];
}
export function simulation(of: Simulation): Simulation;

export type Value = number | bigint | string | boolean | null | undefined;
export class Rows {
  constructor(table: Table);
  push(...values: Value[]): void;
  add(row: Record<string, Value>): void;
}
export class Batch {
  rows: number;
  columns: Record<string, ArrayLike<any>>;
}
export interface Bent {
  apply(base: number): number;
  blame(base: number): string | null;
}
export class Effects {
  constructor(simulation: Simulation);
  inject(incidents: unknown[]): void;
  prepare(window: Window): void;
  at(target: string, signal: string, t: number): Bent;
}

export function log(message: unknown, level?: 'debug' | 'info' | 'warn' | 'error'): void;
export class ConfigError extends Error {
  constructor(path: string, message: string);
}

export interface About {
  name: string;
  version: string;
  summary: string;
  documentation?: string;
  examples?: { name: string; config: unknown }[];
  attributes?: Attribute[];
}
export interface Problem {
  path: string;
  message: string;
}
interface Plugin<Config> {
  about: About;
  schema: object;
  check?(config: Config): Problem[];
}
export interface Shard {
  seed: number;
  partition: number;
  partitions: number;
  span: Window;
  owns(index: number): boolean;
}
export interface GeneratorModel {
  advance(window: Window, rows: Record<string, Rows>, effects: Effects): void;
  feed?(table: string, batch: Batch): void;
  save?(): unknown;
}
export interface GeneratorPlugin<Config> extends Plugin<Config> {
  plan(config: Config): Simulation;
  open(of: { config: Config; shard: Shard; state?: any }): GeneratorModel;
}
export function defineGenerator<Config>(plugin: GeneratorPlugin<Config>): { about: object; generator: object };

export type Severity = 'info' | 'low' | 'medium' | 'high' | 'critical';
export interface Effect {
  target: string;
  signal: string;
  operation?: 'scale' | 'offset' | 'set';
  value: number;
  start: number;
  full?: number;
  release?: number;
  end: number;
}
export interface Incident {
  id: string;
  kind: string;
  title: string;
  effects: Effect[];
  role?: 'incident' | 'decoy';
  severity?: Severity;
  cause?: string | null;
  attributes?: Record<string, unknown>;
}
export interface WholeIncident {
  id: string;
  window: Window;
}
export function incident(of: Incident): WholeIncident;
export interface IncidentModelPlugin<Config> extends Plugin<Config> {
  kinds: Record<string, string>;
  open(of: { config: Config; seed: number; span: Window; targets: Target[] }): {
    plan(day: Window): WholeIncident[];
    trigger(kind: string, target: string, window: Window): WholeIncident[];
  };
}
export function defineIncidentModel<Config>(plugin: IncidentModelPlugin<Config>): { about: object; incidentModel: object };

export interface Finding {
  rule: string;
  message: string;
  severity?: Severity;
  table?: string;
  column?: string;
  failed?: number;
  checked?: number;
  samples?: number[];
}
export interface Metric {
  name: string;
  value: number;
  unit?: string;
  at?: number;
}
export interface ValidatorPlugin<Config> extends Plugin<Config> {
  open(of: { config: Config; tables: Table[]; window: Window }): {
    selections: { table: string; columns: string[]; orderBy?: string[] }[];
    observe(selection: number, batch: Batch): void;
    finish(): { findings?: Finding[]; metrics?: Metric[] };
  };
}
export function defineValidator<Config>(plugin: ValidatorPlugin<Config>): { about: object; validator: object };
