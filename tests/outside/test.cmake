# What an installed limen offers to projects of other people.
find_package(nlohmann_json REQUIRED)
add_dependencies(test_outside limen_cli limen_plugins limen)
target_sources(test_outside PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/support/process.cpp)
target_link_libraries(test_outside PRIVATE nlohmann_json::nlohmann_json)
target_compile_definitions(test_outside PRIVATE
  LIMEN_CMAKE="${CMAKE_COMMAND}" LIMEN_CXX="${CMAKE_CXX_COMPILER}")
