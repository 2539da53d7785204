# What `cmake --install` puts where: bin/limen and lib/limen/plugins come from their own folders.
include(CMakePackageConfigHelpers)

install(TARGETS limen_headers limen EXPORT limenTargets ARCHIVE DESTINATION lib)
install(DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/include/limen DESTINATION include
        FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp" PATTERN "*.map")
install(EXPORT limenTargets NAMESPACE limen:: DESTINATION lib/cmake/limen)

configure_package_config_file(
  ${CMAKE_CURRENT_SOURCE_DIR}/limenConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/limenConfig.cmake
  INSTALL_DESTINATION lib/cmake/limen)
write_basic_package_version_file(
  ${CMAKE_CURRENT_BINARY_DIR}/limenConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/limenConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/limenConfigVersion.cmake
              ${PROJECT_SOURCE_DIR}/plugins/limen_add_plugin.cmake
        DESTINATION lib/cmake/limen)
