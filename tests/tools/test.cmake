# The limen program, run as a child.
find_package(nlohmann_json REQUIRED)
add_dependencies(test_tools limen_cli limen_plugins limen_selftest)
target_sources(test_tools PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/support/process.cpp
                                  ${PROJECT_SOURCE_DIR}/tools/gradcheck_message.cpp
                                  ${PROJECT_SOURCE_DIR}/tools/isolate.cpp)
target_include_directories(test_tools PRIVATE ${PROJECT_SOURCE_DIR}/tools)
target_link_libraries(test_tools PRIVATE nlohmann_json::nlohmann_json)
target_compile_definitions(test_tools PRIVATE
  LIMEN_PROGRAM="$<TARGET_FILE:limen_cli>"
  LIMEN_SHIPPED_PLUGINS="${LIMEN_PLUGIN_OUTPUT_DIRECTORY}"
  LIMEN_SELFTEST_PLUGINS="${PROJECT_BINARY_DIR}/lib/limen/selftest"
  LIMEN_GRADCHECK_SCHEMA="${PROJECT_SOURCE_DIR}/tools/schema/gradcheck.json"
  LIMEN_TOOL_PLUGINS="${PROJECT_BINARY_DIR}/tests/plugins/tools")

block()
  set(LIMEN_PLUGIN_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/plugins/tools)
  foreach(plugin wrong crashing hanging leaving refusing throwing)
    limen_add_plugin(tools_${plugin} ${CMAKE_CURRENT_LIST_DIR}/plugins/misbehaving.cpp)
    string(TOUPPER ${plugin} fault)
    target_compile_definitions(tools_${plugin} PRIVATE FAULT_${fault})
    add_dependencies(test_tools tools_${plugin})
  endforeach()
  target_compile_options(tools_throwing PRIVATE -fexceptions)
  foreach(plugin kernels functions deadly library resources)  # one mistake in each op of these
    limen_add_plugin(planted_${plugin} ${CMAKE_CURRENT_LIST_DIR}/plugins/planted_${plugin}.cpp)
    target_link_libraries(planted_${plugin} PRIVATE limen_options)
    add_dependencies(test_tools planted_${plugin})
  endforeach()
endblock()
