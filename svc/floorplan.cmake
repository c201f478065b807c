# Refuses an include that FLOORPLAN does not give ROOM: a library's header, or a way around the view.
# What a room may see of other rooms is enforced by the compiler, which is shown nothing else.
foreach(file ${FILES})
	file(STRINGS ${file} lines REGEX "^[ \t]*#[ \t]*include")
	foreach(line ${lines})
		if(line MATCHES "include[ \t]*[<\"]([^>\"]+)[>\"]")
			set(header ${CMAKE_MATCH_1})
			if(header MATCHES "${FORBIDDEN}")
				message(SEND_ERROR "${file}: ${ROOM}/ may not include ${header}: see svc/FLOORPLAN")
			endif()
		endif()
	endforeach()
endforeach()
file(TOUCH ${STAMP})
