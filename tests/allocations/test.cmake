add_dependencies(test_allocations limen_plugins engine_ops)
target_link_libraries(test_allocations PRIVATE ${CMAKE_DL_LIBS})
