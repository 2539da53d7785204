# Every shipped activation against its definition.
add_dependencies(test_family limen_plugins)
target_compile_definitions(test_family PRIVATE
  LIMEN_SHIPPED_PLUGINS="${LIMEN_PLUGIN_OUTPUT_DIRECTORY}"
  LIMEN_SAMPLE_PLUGINS="" LIMEN_BAD_PLUGINS="")  # which the helpers of tests/plugin name
