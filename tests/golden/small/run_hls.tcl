# Vitis HLS, Tcl flow:
#   vitis-run --mode hls --tcl run_hls.tcl     (2023.2 and later)
#   vitis_hls -f run_hls.tcl                   (up to 2024.2)
# Steps by environment: CODESIGN_STEPS="csim synth cosim export"; default "synth export".
set steps {synth export}
if {[info exists ::env(CODESIGN_STEPS)]} { set steps $::env(CODESIGN_STEPS) }

open_project -reset project
set_top accelerator
add_files src/receive.cpp -cflags "-DCODESIGN_AP_INT"
add_files src/conv0_resize.cpp -cflags "-DCODESIGN_AP_INT"
add_files src/conv0_window.cpp -cflags "-DCODESIGN_AP_INT"
add_files src/conv0_matrix.cpp -cflags "-DCODESIGN_AP_INT"
add_files src/conv0_fork.cpp -cflags "-DCODESIGN_AP_INT"
add_files src/conv1_matrix.cpp -cflags "-DCODESIGN_AP_INT"
add_files src/add0_in1_resize.cpp -cflags "-DCODESIGN_AP_INT"
add_files src/add0_add.cpp -cflags "-DCODESIGN_AP_INT"
add_files src/pool0_resize.cpp -cflags "-DCODESIGN_AP_INT"
add_files src/pool0_sliding.cpp -cflags "-DCODESIGN_AP_INT"
add_files src/pool0_reduce.cpp -cflags "-DCODESIGN_AP_INT"
add_files src/dense0_resize.cpp -cflags "-DCODESIGN_AP_INT"
add_files src/dense0_matrix.cpp -cflags "-DCODESIGN_AP_INT"
add_files src/send.cpp -cflags "-DCODESIGN_AP_INT"
add_files src/accelerator.cpp -cflags "-DCODESIGN_AP_INT"
add_files -tb tb/accelerator_tb.cpp -cflags "-DCODESIGN_AP_INT -DDATA_FOLDER=\\\"data\\\""
add_files -tb tb/data

open_solution -reset solution1 -flow_target vivado
set_part xczu7ev-ffvc1156-2-e
create_clock -period 5.000 -name default

if {"csim" in $steps} { csim_design }
if {"synth" in $steps} { csynth_design }
if {"cosim" in $steps} { cosim_design }
if {"export" in $steps} { export_design -format ip_catalog -output accelerator.zip }
exit
