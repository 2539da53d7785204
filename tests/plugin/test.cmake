find_program(LIMEN_CLANG clang)
# Plugins for the tests: the shipped ones, good samples of the SDK, and libraries with a fault each.
add_dependencies(test_plugin limen_plugins)
target_compile_definitions(test_plugin PRIVATE
  LIMEN_SHIPPED_PLUGINS="${LIMEN_PLUGIN_OUTPUT_DIRECTORY}"
  LIMEN_SAMPLE_PLUGINS="${PROJECT_BINARY_DIR}/tests/plugins/samples"
  LIMEN_GENERAL_PLUGINS="${PROJECT_BINARY_DIR}/tests/plugins/general"
  LIMEN_BAD_PLUGINS="${PROJECT_BINARY_DIR}/tests/plugins/bad")

block()
  set(LIMEN_PLUGIN_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/plugins/samples)
  foreach(sample square.c functions.cpp special.cpp shapes.cpp learned.cpp)
    get_filename_component(name ${sample} NAME_WE)
    limen_add_plugin(sample_${name} ${CMAKE_CURRENT_LIST_DIR}/samples/${sample})
    target_link_libraries(sample_${name} PRIVATE limen_options)
    add_dependencies(test_plugin sample_${name})
  endforeach()

  # A general op, which the tests call without the engine.
  set(LIMEN_PLUGIN_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/plugins/general)
  limen_add_plugin(general_maxout ${PROJECT_SOURCE_DIR}/plugins/maxout.cpp)
  target_link_libraries(general_maxout PRIVATE limen_options)
  add_dependencies(test_plugin general_maxout)
  set(LIMEN_PLUGIN_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/plugins/samples)

  # The examples of plugins/README.md, as they stand there: the first alone, the others as one file.
  set(page ${PROJECT_SOURCE_DIR}/plugins/README.md)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${page})
  file(READ ${page} text)
  string(REPLACE ";" "@semicolon@" text "${text}")
  string(REPLACE "[" "@open@" text "${text}")
  string(REPLACE "]" "@close@" text "${text}")
  string(REGEX MATCHALL "```cpp\n[^`]*```" examples "${text}")
  list(TRANSFORM examples REPLACE "```(cpp\n)?" "")
  list(POP_FRONT examples readme)
  list(JOIN examples "\n" readme_more)
  foreach(example readme readme_more)
    string(REPLACE "@semicolon@" ";" source "${${example}}")
    string(REPLACE "@open@" "[" source "${source}")
    string(REPLACE "@close@" "]" source "${source}")
    file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/tests/${example}_example.cpp CONTENT "${source}" @ONLY)
    limen_add_plugin(sample_${example} ${PROJECT_BINARY_DIR}/tests/${example}_example.cpp)
    target_link_libraries(sample_${example} PRIVATE limen_options)
    add_dependencies(test_plugin sample_${example})
  endforeach()

  # One plugin against the header of today, the first one, and one whose structs have grown.
  set(abi ${CMAKE_CURRENT_LIST_DIR}/abi)
  target_sources(test_plugin PRIVATE ${abi}/layout.c ${abi}/layout.cpp)
  target_compile_definitions(test_plugin PRIVATE
    LIMEN_LAYOUT="${abi}/layout.h" LIMEN_CLANG="${LIMEN_CLANG}"
    LIMEN_ABI_PLUGINS="${PROJECT_BINARY_DIR}/tests/plugins/abi")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${abi}/v1.0/limen/plugin.h)
  file(READ ${abi}/v1.0/limen/plugin.h text)
  string(REPLACE "#define LIMEN_ABI_MINOR 0" "#define LIMEN_ABI_MINOR 1" text "${text}")
  string(REGEX REPLACE "LIMEN_STATIC_ASSERT\\(sizeof[^\n]*\n" "" text "${text}")
  string(REGEX REPLACE "\n} (limen_(error|param|facts|golden|tile|kernel|tensor|call|op|host|plugin));"
                       "\n    uint64_t added[3];\n} \\1;" text "${text}")
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/tests/abi/v1.1/limen/plugin.h CONTENT "${text}" @ONLY)
  set(LIMEN_PLUGIN_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/plugins/abi)
  foreach(header today v1.0 v1.1)
    string(REPLACE "." "_" name ${header})
    limen_add_plugin(abi_${name} ${abi}/compat.c)
    target_compile_definitions(abi_${name} PRIVATE
      COMPAT="compat_${name}" COMPAT_PLUGIN="org.example.compat_${name}")
    add_dependencies(test_plugin abi_${name})
  endforeach()
  target_include_directories(abi_v1_0 BEFORE PRIVATE ${abi}/v1.0)
  target_include_directories(abi_v1_1 BEFORE PRIVATE ${PROJECT_BINARY_DIR}/tests/abi/v1.1)

  # The same source with another fault compiled in.
  set(LIMEN_PLUGIN_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/plugins/bad)
  set(source ${PROJECT_SOURCE_DIR}/tests/bad_plugins/faults.cpp)
  set(faults ABI_2 NEEDS_9 BAD_DEFAULT NO_F64 TWO_OPS_ONE_NAME SHIPPED_NAME ENTRY_FAILS
             UNDEFINED_SYMBOL BAD_NAME BAD_KIND WILD_POINTER NULL_KERNEL SMALL_OP
             REQUIRED_EXTENSION MISSING_LIBRARY RIVAL JOINT_CHECK NOTHING
             CRASHING LEAVING CRASH_AT_EXIT WRONG_GOLDEN KERNEL_TRAPS)
  foreach(fault IN LISTS faults)
    limen_add_plugin(bad_${fault} ${source})
  endforeach()
  foreach(fault NO_ENTRY MANGLED_ENTRY NOT_A_PLUGIN)  # what a plain -shared makes
    list(APPEND faults ${fault})
    add_library(bad_${fault} MODULE ${source})
    target_link_libraries(bad_${fault} PRIVATE limen::plugin)
    set_target_properties(bad_${fault} PROPERTIES
      PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${LIMEN_PLUGIN_OUTPUT_DIRECTORY})
  endforeach()
  foreach(fault IN LISTS faults)
    target_compile_definitions(bad_${fault} PRIVATE FAULT_${fault})
    add_dependencies(test_plugin bad_${fault})
  endforeach()
  target_link_options(bad_UNDEFINED_SYMBOL PRIVATE -Wl,-z,undefs)

  # A library that is there when linking, and nowhere to be found when loading.
  add_library(limen_absent SHARED ${source})
  target_compile_definitions(limen_absent PRIVATE FAULT_NOT_A_PLUGIN)
  target_link_libraries(limen_absent PRIVATE limen::plugin)
  set_target_properties(limen_absent PROPERTIES
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/plugins/absent)
  target_link_options(bad_MISSING_LIBRARY PRIVATE -Wl,--no-as-needed)
  target_link_libraries(bad_MISSING_LIBRARY PRIVATE limen_absent)
  set_target_properties(bad_MISSING_LIBRARY PROPERTIES SKIP_BUILD_RPATH ON)
endblock()
