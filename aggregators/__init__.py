"""Pure rules and the tables: values in, values out; no clock, no Faust, and one module that opens a socket."""
