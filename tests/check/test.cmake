# Plugins with a planted mistake, and right ones that are hard to check.
add_dependencies(test_check limen_plugins engine_ops)
target_link_libraries(test_check PRIVATE nlohmann_json::nlohmann_json)
target_compile_definitions(test_check PRIVATE
  LIMEN_SHIPPED_PLUGINS="${LIMEN_PLUGIN_OUTPUT_DIRECTORY}"
  LIMEN_FAULTY_PLUGINS="${PROJECT_BINARY_DIR}/tests/plugins/check")
find_package(nlohmann_json REQUIRED)

block()
  set(LIMEN_PLUGIN_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/plugins/check)
  foreach(fault leaky_relu_input sign_flipped softmax_diagonal state_overwritten mutants tricky one_float)
    limen_add_plugin(check_${fault} ${CMAKE_CURRENT_LIST_DIR}/faults/${fault}.cpp)
    target_link_libraries(check_${fault} PRIVATE limen_options)
    add_dependencies(test_check check_${fault})
  endforeach()
endblock()

# The ops of `limen gradcheck --selftest`, beside the shipped plugins but not among them.
block()
  set(LIMEN_PLUGIN_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib/limen/selftest)
  file(GLOB libraries CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/mutants/*.cpp)
  add_custom_target(limen_selftest)
  foreach(source IN LISTS libraries)
    cmake_path(GET source STEM name)
    limen_add_plugin(selftest_${name} ${source})
    set_target_properties(selftest_${name} PROPERTIES OUTPUT_NAME ${name})
    target_link_libraries(selftest_${name} PRIVATE limen_options)
    add_dependencies(limen_selftest selftest_${name})
  endforeach()
  add_dependencies(test_check limen_selftest limen_cli)
  set(made_up 200)
  if(LIMEN_SANITIZE)
    set(made_up 10)
  elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
    set(made_up 2000)  # 90 s of one core
  endif()
  add_test(NAME Selftest.CatchesWhatIsWrongAndAcceptsWhatIsRight
    COMMAND limen_cli gradcheck --selftest --mutants ${made_up} --seed 1)
  set_tests_properties(Selftest.CatchesWhatIsWrongAndAcceptsWhatIsRight PROPERTIES
    LABELS check TIMEOUT 600)
endblock()
