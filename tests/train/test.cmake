# Models of these tests use the shipped activations.
if(TARGET limen_plugins)
  add_dependencies(test_train limen_plugins)
endif()
