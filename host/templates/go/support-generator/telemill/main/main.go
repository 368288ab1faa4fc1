package main

// The author's package defines the plugin.
import _ "plugin/src"
