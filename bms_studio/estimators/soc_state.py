"""Where the filter of `soc` keeps what: the places of its numbers in the arrays of its state.

Names only. REALS and INTEGERS are state, CONSTANTS come from parameters and cell model.
"""

INTEGERS = ("begun", "mode", "last_ns", "window", "rows", "restarts")
REALS = (
    "x1",
    "x2",
    "hysteresis",
    "last_a",
    "square_a",
    "alpha",
    "mean_a",
    "variance_a",
    "quiet_s",
    "offset_s",
    "start_s",
    "shift",
    "current_s",
    "hint",
    "hint_sigma",
    "coulomb",
    "contrary_s",
    "slow_v",
    "window_as",
    "window_s",
    "window_a",
    "table_scale",
    "anchored",
    "slope_v",
    "swing",
    "doubt",
    "window_u",
    "window_n",
    "x3",
    "convex_v",
    "window_p",
    "quiet_a",
)
CONSTANTS = (
    "capacity_ah",
    "r0_ohm",
    "r1_ohm",
    "tau1_s",
    "r2_ohm",
    "tau2_s",
    "hysteresis_v",
    "sigma_hysteresis_v",
    "hysteresis_rate",
    "activation_j_per_mol",
    "hysteresis_j_per_mol",
    "sigma_ocv_v",
    "sigma_soc",
    "sigma_r",
    "capacity_sigma",
    "hint_doubt",
    "table_doubt",
    "startup_s",
    "ocv_length",
    "error_v",
    "error_share",
    "error_tau_s",
    "noise_v",
    "skew_s",
    "offset_c",
    "standby_c",
    "gap_s",
    "gap_c",
    "missing_c",
    "bleed_a",
    "window_s",
)

I_BEGUN, I_MODE, I_LAST, I_WINDOW, I_ROWS, I_RESTARTS = range(6)
(
    R_X1,
    R_X2,
    R_HYST,
    R_LAST_A,
    R_SQUARE,
    R_ALPHA,
    R_MEAN_A,
    R_VAR_A,
    R_QUIET,
    R_OFFSET_S,
    R_START_S,
    R_SHIFT,
    R_CURRENT_S,
    R_HINT,
    R_HINT_S,
    R_COULOMB,
    R_CONTRARY,
    R_SLOW,
    R_WIN_AS,
    R_WIN_S,
    R_WIN_A,
    R_SCALE,
    R_ANCHORED,
    R_SLOPE,
    R_SWING,
    R_DOUBT,
    R_WIN_U,
    R_WIN_N,
    R_X3,
    R_CONVEX,
    R_WIN_P,
    R_QUIET_A,
) = range(32)
(
    C_Q,
    C_R0,
    C_R1,
    C_T1,
    C_R2,
    C_T2,
    C_M,
    C_SM,
    C_RATE,
    C_EA,
    C_EH,
    C_SOCV,
    C_BESIDE,
    C_SR,
    C_SCAP,
    C_DOUBT,
    C_TABLE,
    C_STARTUP,
    C_LENGTH,
    C_ERR,
    C_SHARE,
    C_TAU,
    C_NOISE,
    C_SKEW,
    C_OFF_C,
    C_STANDBY,
    C_GAP,
    C_GAP_C,
    C_MISSING,
    C_BLEED,
    C_WIDTH,
) = range(31)
GATE = 5.0
# How two makers' tables of one chemistry differ: half of the variance alike over 6 % of SOC only
# (correlation over the published NMC tables: 0.5 at 5 %, 0.25 at 10 and 20 % of SOC).
LONG_SHARE = 0.6
KINK_SHARE = 0.8
KINK_LENGTH = 0.06
# An unmeasured current stays alike for half an hour (a ride, a charge).
MISSING_TAU_S = 1800.0
# Once running, a contradiction is looked at for so long before the hypotheses decide: a knee is
# short.
RESTART_S = 15.0
# Activation energies of cells of one chemistry differ by 6 kJ/mol (22 to 36 measured), over R.
ACTIVATION_SIGMA_K = 722.0
# Over so much of SOC the error of a table and of the hysteresis counts as one (between published
# tables of one chemistry the correlation is 0.5 at 5 %, 0.25 at 10 %).
INDEPENDENT = 0.06
# The slowest diffusion (rests of E2 and of simulated cells still move after half an hour), its
# resistance against that of the slow pair, and how sure that is.
SLOWEST_S = 1800.0
SLOWEST_SHARE = 0.25
SLOWEST_SIGMA = 0.35
# Below this scatter (times 1C) within 20 s a current counts as steady.
STEADY_C = 0.03
# A current that strays by more than this (times 1C) while it is watched is no offset: the end of a
# charge fades for an hour.
STRAYED_C = 0.0015
