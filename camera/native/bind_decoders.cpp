#include <nanobind/nanobind.h>

void bind_decoders(nanobind::module_&) {}
