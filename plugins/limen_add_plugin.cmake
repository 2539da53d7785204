# The flags that plugins are compiled with: the one list, which limen_add_plugin() below uses and
# `limen plugin build` gets when limen is built. They let kernels vectorise and keep a library to
# itself: one exported symbol, no libstdc++.
function(limen_plugin_flags result kind)
  set(ALL -O3 -fno-math-errno -fno-trapping-math -fPIC -fvisibility=hidden)
  set(C -std=c11)
  set(CXX -std=c++20 -fvisibility-inlines-hidden -fno-exceptions -fno-rtti -fno-threadsafe-statics)
  set(CXX_GNU -fno-tree-loop-distribute-patterns -fno-thread-jumps -fno-gnu-unique)
  set(CXX_CLANG -Wno-pass-failed)
  set(LINK -Wl,--as-needed -Wl,-z,now -Wl,-z,relro -Wl,--exclude-libs,ALL)
  # Under a sanitizer: in flattened functions these cost minutes and find nothing about kernels.
  set(ASAN -O1 -fno-sanitize=null,alignment,object-size -fno-sanitize-address-use-after-scope)
  set(${result} ${${kind}} PARENT_SCOPE)
endfunction()

# limen_add_plugin(NAME sources... [NO_CHECK]): NAME.so, a library of activations for limen, from C
# or C++ files. It lands in LIMEN_PLUGIN_OUTPUT_DIRECTORY, or in the current build folder if that is
# not set. With BUILD_TESTING, ctest runs `limen plugin check` on it, unless NO_CHECK is given.
function(limen_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "NO_CHECK" "" "")
  if(NOT arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "limen_add_plugin(${name}): no source files")
  endif()
  foreach(kind ALL C CXX CXX_GNU CXX_CLANG LINK ASAN)
    limen_plugin_flags(${kind} ${kind})
  endforeach()
  add_library(${name} MODULE ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE limen::plugin)
  set(output ${CMAKE_CURRENT_BINARY_DIR})
  if(LIMEN_PLUGIN_OUTPUT_DIRECTORY)
    set(output ${LIMEN_PLUGIN_OUTPUT_DIRECTORY})
  endif()
  set_target_properties(${name} PROPERTIES
    PREFIX "" SUFFIX ".so" LIBRARY_OUTPUT_DIRECTORY ${output}
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden)
  target_compile_features(${name} PRIVATE c_std_11 cxx_std_20)
  if(NOT LIMEN_SANITIZE)
    set(ASAN)
  endif()
  target_compile_options(${name} PRIVATE
    ${ALL} ${ASAN}
    $<$<COMPILE_LANGUAGE:C>:${C}>
    $<$<COMPILE_LANGUAGE:CXX>:${CXX}>
    $<$<COMPILE_LANG_AND_ID:CXX,GNU>:${CXX_GNU}>
    $<$<COMPILE_LANG_AND_ID:CXX,Clang>:${CXX_CLANG}>)
  # Beside the header, in the source tree and where limen is installed.
  find_file(LIMEN_PLUGIN_MAP limen/plugin.map NO_DEFAULT_PATH REQUIRED PATHS
    ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../core/include
    ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../../../include)
  mark_as_advanced(LIMEN_PLUGIN_MAP)
  target_link_options(${name} PRIVATE ${LINK} -Wl,--version-script=${LIMEN_PLUGIN_MAP})
  set_target_properties(${name} PROPERTIES LINK_DEPENDS ${LIMEN_PLUGIN_MAP})
  if(NOT LIMEN_SANITIZE)  # a sanitizer's own functions are found in the program
    target_link_options(${name} PRIVATE -Wl,-z,defs)
  endif()

  set(program ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../../../bin/limen)
  if(BUILD_TESTING AND NOT arg_NO_CHECK AND EXISTS ${program})
    add_test(NAME limen_check_${name} COMMAND ${program} plugin check $<TARGET_FILE:${name}>)
  endif()
endfunction()
