;; Stands in WASI's place: a plugin has no clock, no randomness, no files and no environment. What a language's runtime asks for
;; at its start gets the same answer on every machine, and what is written becomes lines of the host's log: a crash shows the
;; last of them. Errors: 8 is a file that is not open.
(module
  (import "telemill:plugin/host@0.1.0" "log" (func $log (param $level i32) (param $text i32) (param $length i32)))
  (import "env" "memory" (memory 0))
  (global $now (mut i64) (i64.const 0))

  ;; Where a line is put together: the plugin lends the place when it starts. Runtimes write a line in many pieces.
  (global $line (mut i32) (i32.const 0))
  (global $room (mut i32) (i32.const 0))
  (global $length (mut i32) (i32.const 0))
  (global $level (mut i32) (i32.const 0))
  (func (export "telemill_line") (param $place i32) (param $room i32)
    (global.set $line (local.get $place))
    (global.set $room (local.get $room)))

  ;; A byte that follows the first of a character of UTF-8.
  (func $follows (param $at i32) (param $end i32) (result i32)
    (if (i32.ge_u (local.get $at) (local.get $end)) (then (return (i32.const 0))))
    (i32.eq (i32.and (i32.load8_u (local.get $at)) (i32.const 0xc0)) (i32.const 0x80)))

  ;; How many bytes the character at a place has; none where it is no UTF-8, which the host takes from nobody.
  (func $character (param $at i32) (param $end i32) (result i32)
    (local $first i32)
    (local $second i32)
    (local.set $first (i32.load8_u (local.get $at)))
    (if (i32.lt_u (local.get $first) (i32.const 0x80)) (then (return (i32.const 1))))
    (if (i32.lt_u (local.get $first) (i32.const 0xc2)) (then (return (i32.const 0))))
    (if (i32.gt_u (local.get $first) (i32.const 0xf4)) (then (return (i32.const 0))))
    (if (i32.eqz (call $follows (i32.add (local.get $at) (i32.const 1)) (local.get $end))) (then (return (i32.const 0))))
    (if (i32.lt_u (local.get $first) (i32.const 0xe0)) (then (return (i32.const 2))))
    (if (i32.eqz (call $follows (i32.add (local.get $at) (i32.const 2)) (local.get $end))) (then (return (i32.const 0))))
    ;; Not longer than need be, no half of a pair, nothing beyond the last.
    (local.set $second (i32.load8_u offset=1 (local.get $at)))
    (if (i32.and (i32.eq (local.get $first) (i32.const 0xe0)) (i32.lt_u (local.get $second) (i32.const 0xa0)))
      (then (return (i32.const 0))))
    (if (i32.and (i32.eq (local.get $first) (i32.const 0xed)) (i32.gt_u (local.get $second) (i32.const 0x9f)))
      (then (return (i32.const 0))))
    (if (i32.lt_u (local.get $first) (i32.const 0xf0)) (then (return (i32.const 3))))
    (if (i32.eqz (call $follows (i32.add (local.get $at) (i32.const 3)) (local.get $end))) (then (return (i32.const 0))))
    (if (i32.and (i32.eq (local.get $first) (i32.const 0xf0)) (i32.lt_u (local.get $second) (i32.const 0x90)))
      (then (return (i32.const 0))))
    (if (i32.and (i32.eq (local.get $first) (i32.const 0xf4)) (i32.gt_u (local.get $second) (i32.const 0x8f)))
      (then (return (i32.const 0))))
    (i32.const 4))

  ;; Hands the line over.
  (func $tell
    (local $at i32)
    (local $end i32)
    (local $bytes i32)
    (if (i32.eqz (global.get $length)) (then (return)))
    (local.set $at (global.get $line))
    (local.set $end (i32.add (global.get $line) (global.get $length)))
    (loop $next
      (local.set $bytes (call $character (local.get $at) (local.get $end)))
      (if (i32.eqz (local.get $bytes))
        (then
          (i32.store8 (local.get $at) (i32.const 63)) ;; ?
          (local.set $bytes (i32.const 1))))
      (local.set $at (i32.add (local.get $at) (local.get $bytes)))
      (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
    (local.set $bytes (global.get $length))
    (global.set $length (i32.const 0))
    (call $log (global.get $level) (global.get $line) (local.get $bytes)))

  (func $take (param $byte i32)
    (if (i32.eqz (global.get $room)) (then (return)))
    (if (i32.eq (local.get $byte) (i32.const 10)) ;; the end of the line
      (then
        (call $tell)
        (return)))
    ;; A line that is too long is told in parts.
    (if (i32.eq (global.get $length) (global.get $room)) (then (call $tell)))
    (i32.store8 (i32.add (global.get $line) (global.get $length)) (local.get $byte))
    (global.set $length (i32.add (global.get $length) (i32.const 1))))

  ;; Descriptor 2, errors, are warnings of the log, 1 is said in passing.
  (func (export "fd_write") (param $descriptor i32) (param $lists i32) (param $count i32) (param $written i32) (result i32)
    (local $sum i32)
    (local $at i32)
    (local $end i32)
    (local $level i32)
    (local.set $level (select (i32.const 2) (i32.const 1) (i32.eq (local.get $descriptor) (i32.const 2))))
    (if (i32.ne (local.get $level) (global.get $level)) (then (call $tell)))
    (global.set $level (local.get $level))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $count)))
        (local.set $at (i32.load (local.get $lists)))
        (local.set $end (i32.add (local.get $at) (i32.load offset=4 (local.get $lists))))
        (local.set $sum (i32.add (local.get $sum) (i32.load offset=4 (local.get $lists))))
        (block $taken
          (loop $byte
            (br_if $taken (i32.ge_u (local.get $at) (local.get $end)))
            (call $take (i32.load8_u (local.get $at)))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br $byte)))
        (local.set $lists (i32.add (local.get $lists) (i32.const 8)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))
    (i32.store (local.get $written) (local.get $sum))
    (i32.const 0))

  (func (export "proc_exit") (param i32)
    (call $tell)
    (unreachable))

  (func (export "sched_yield") (result i32) (i32.const 0))

  ;; No arguments and no environment.
  (func $none (param $count i32) (param $bytes i32) (result i32)
    (i32.store (local.get $count) (i32.const 0))
    (i32.store (local.get $bytes) (i32.const 0))
    (i32.const 0))
  (export "args_sizes_get" (func $none))
  (export "environ_sizes_get" (func $none))
  (func $nothing (param i32 i32) (result i32) (i32.const 0))
  (export "args_get" (func $nothing))
  (export "environ_get" (func $nothing))

  ;; A clock that moves a microsecond each time it is asked.
  (func (export "clock_time_get") (param i32 i64) (param $to i32) (result i32)
    (global.set $now (i64.add (global.get $now) (i64.const 1000)))
    (i64.store (local.get $to) (global.get $now))
    (i32.const 0))
  (func (export "clock_res_get") (param i32) (param $to i32) (result i32)
    (i64.store (local.get $to) (i64.const 1000))
    (i32.const 0))

  ;; Who waits for a time has waited at once. What each waited for is an event of zeros, the clock's.
  (func (export "poll_oneoff") (param $awaited i32) (param $events i32) (param $count i32) (param $happened i32) (result i32)
    (if (i32.eqz (i32.load8_u offset=8 (local.get $awaited))) ;; a clock, and how long
      (then (global.set $now (i64.add (global.get $now) (i64.load offset=24 (local.get $awaited))))))
    (memory.fill (local.get $events) (i32.const 0) (i32.mul (local.get $count) (i32.const 32)))
    (i32.store (local.get $happened) (local.get $count))
    (i32.const 0))

  ;; Zeros for random bytes; a plugin's randomness is keyed.
  (func (export "random_get") (param $to i32) (param $length i32) (result i32)
    (memory.fill (local.get $to) (i32.const 0) (local.get $length))
    (i32.const 0))

  (func (export "fd_close") (param i32) (result i32) (i32.const 8))
  (func (export "fd_seek") (param i32 i64 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_read") (param i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_fdstat_get") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_fdstat_set_flags") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_prestat_get") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_prestat_dir_name") (param i32 i32 i32) (result i32) (i32.const 8)))
