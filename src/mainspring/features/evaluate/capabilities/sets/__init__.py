"""The definitions of the benchmarks, by what they measure."""
