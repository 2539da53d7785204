# The shipped activations, which models name, and ops of every form.
add_dependencies(test_model limen_plugins engine_ops)
