// Package moduledata holds what the scanner of packages knows beside the
// advisories: which Python modules a distribution provides. It is data only.
package moduledata

import _ "embed" // for the data

// PythonModules lists distributions with the modules that they provide.
//
//go:embed python-modules.txt
var PythonModules string
