# Models of these tests use the shipped activations, and ops of every form.
if(TARGET limen_plugins)
  add_dependencies(test_train limen_plugins engine_ops)
endif()

block()
  set(LIMEN_PLUGIN_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/plugins/train)
  limen_add_plugin(train_square ${PROJECT_SOURCE_DIR}/tests/tools/plugins/misbehaving.cpp)
  add_dependencies(test_train train_square)
  target_compile_definitions(test_train PRIVATE
    LIMEN_TRAIN_PLUGIN="${LIMEN_PLUGIN_OUTPUT_DIRECTORY}/train_square.so")
endblock()
