# Models of these tests use the shipped activations, and ops of every form.
if(TARGET limen_plugins)
  add_dependencies(test_train limen_plugins engine_ops)
endif()
