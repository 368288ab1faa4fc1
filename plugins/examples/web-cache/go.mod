module plugin

go 1.25
