# The shipped activations: models name them.
add_dependencies(test_model limen_plugins)
