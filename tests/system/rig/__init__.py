"""The test rig: a real directory, a real chat server and musterd, private to one test on loopback."""
