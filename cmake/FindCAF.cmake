# Finds the C++ Actor Framework where the distribution ships no package file
# (Debian's libcaf-dev) and offers CAF::core, CAF::io and CAF::openssl.
#
#   find_package(CAF 0.17.6 EXACT REQUIRED COMPONENTS core io)
#
# The targets are IMPORTED, so their headers count as system headers and raise
# no warnings in code that is compiled with strict flags.
find_path(CAF_INCLUDE_DIR caf/config.hpp)
mark_as_advanced(CAF_INCLUDE_DIR)

if(CAF_INCLUDE_DIR)
  # One number such as 1706 stands for 0.17.6.
  file(STRINGS "${CAF_INCLUDE_DIR}/caf/config.hpp" _caf_line
    REGEX "^#define CAF_VERSION [0-9]+")
  string(REGEX MATCH "[0-9]+" _caf_number "${_caf_line}")
  if(_caf_number)
    math(EXPR _caf_major "${_caf_number} / 10000")
    math(EXPR _caf_minor "(${_caf_number} / 100) % 100")
    math(EXPR _caf_patch "${_caf_number} % 100")
    set(CAF_VERSION ${_caf_major}.${_caf_minor}.${_caf_patch})
  endif()
endif()

find_package(Threads REQUIRED)

foreach(_caf_part IN ITEMS core io openssl)
  find_library(CAF_${_caf_part}_LIBRARY caf_${_caf_part})
  mark_as_advanced(CAF_${_caf_part}_LIBRARY)
  if(CAF_INCLUDE_DIR AND CAF_${_caf_part}_LIBRARY)
    set(CAF_${_caf_part}_FOUND TRUE)
    if(NOT TARGET CAF::${_caf_part})
      add_library(CAF::${_caf_part} UNKNOWN IMPORTED)
      set_target_properties(CAF::${_caf_part} PROPERTIES
        IMPORTED_LOCATION "${CAF_${_caf_part}_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${CAF_INCLUDE_DIR}")
      if(_caf_part STREQUAL "core")
        set_property(TARGET CAF::core PROPERTY
          INTERFACE_LINK_LIBRARIES Threads::Threads)
      elseif(_caf_part STREQUAL "io")
        set_property(TARGET CAF::io PROPERTY
          INTERFACE_LINK_LIBRARIES CAF::core)
      else()
        set_property(TARGET CAF::openssl PROPERTY
          INTERFACE_LINK_LIBRARIES CAF::io)
      endif()
    endif()
  endif()
endforeach()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CAF
  REQUIRED_VARS CAF_INCLUDE_DIR CAF_core_LIBRARY
  VERSION_VAR CAF_VERSION
  HANDLE_COMPONENTS)
