# limen_add_plugin(NAME sources...): NAME.so, a library of activations for limen, from C or C++ files.
#
# It lands in LIMEN_PLUGIN_OUTPUT_DIRECTORY, or in the current build folder if that is not set. The
# flags let kernels vectorise and keep the library to itself: one exported symbol, no libstdc++.
function(limen_add_plugin name)
  if(NOT ARGN)
    message(FATAL_ERROR "limen_add_plugin(${name}): no source files")
  endif()
  add_library(${name} MODULE ${ARGN})
  target_link_libraries(${name} PRIVATE limen::plugin)
  set(output ${CMAKE_CURRENT_BINARY_DIR})
  if(LIMEN_PLUGIN_OUTPUT_DIRECTORY)
    set(output ${LIMEN_PLUGIN_OUTPUT_DIRECTORY})
  endif()
  set_target_properties(${name} PROPERTIES
    PREFIX "" SUFFIX ".so" LIBRARY_OUTPUT_DIRECTORY ${output}
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_compile_features(${name} PRIVATE c_std_11 cxx_std_20)
  set(optimise -O3)
  if(LIMEN_SANITIZE)  # in flattened functions these cost minutes and find nothing about kernels
    set(optimise -O1 -fno-sanitize=null,alignment,object-size
                 -fno-sanitize-address-use-after-scope)
  endif()
  target_compile_options(${name} PRIVATE
    ${optimise} -fno-math-errno -fno-trapping-math
    $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-tree-loop-distribute-patterns -fno-thread-jumps>
    $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions -fno-rtti -fno-threadsafe-statics>
    $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>
    $<$<COMPILE_LANG_AND_ID:CXX,Clang>:-Wno-pass-failed>)
  set(exports ${CMAKE_CURRENT_BINARY_DIR}/limen_plugin.map)
  file(CONFIGURE OUTPUT ${exports} CONTENT "{ global: limen_plugin_v*; local: *; };\n")
  target_link_options(${name} PRIVATE
    -Wl,--as-needed -Wl,-z,now -Wl,-z,relro -Wl,--exclude-libs,ALL -Wl,--version-script=${exports})
  set_target_properties(${name} PROPERTIES LINK_DEPENDS ${exports})
  if(NOT LIMEN_SANITIZE)  # a sanitizer's own functions are found in the program
    target_link_options(${name} PRIVATE -Wl,-z,defs)
  endif()
endfunction()
