# The shipped activations, and one library of ops that lack some kernels.
set(LIMEN_PLUGIN_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/plugins)
limen_add_plugin(partial ${CMAKE_CURRENT_SOURCE_DIR}/ops/partial_plugin.c)
limen_add_plugin(engine_ops ${CMAKE_CURRENT_SOURCE_DIR}/ops/plugins/engine_ops.cpp)
set(LIMEN_PLUGIN_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib/limen/plugins)
add_dependencies(test_ops limen_plugins partial engine_ops)
