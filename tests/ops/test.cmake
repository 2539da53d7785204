# The shipped activations, and one library of ops that lack some kernels.
set(LIMEN_PLUGIN_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/plugins)
limen_add_plugin(partial ${CMAKE_CURRENT_SOURCE_DIR}/ops/partial_plugin.c)
set(LIMEN_PLUGIN_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib/limen/plugins)
add_dependencies(test_ops limen_plugins partial)
