"""Where the filter of `soc` keeps what: the places of its numbers in the arrays of its state.

Names only. REALS and INTEGERS are state, CONSTANTS come from parameters and cell model.
"""

INTEGERS = ("begun", "mode", "last_ns", "window", "rows", "restarts", "table")
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
    "warmth",
    "waiting_s",
    "waiting_moved",
    "waiting_way",
    "waiting_noise",
    "x4",
    "heard_u",
    "heard_n",
    "heard_lag_a",
    "heard_polarised_v",
    "heard_way",
    "heard_s",
    "belief",
    "leaning",
    "leaning_var",
    "hours",
    "way",
    "unweighed_s",
    "unweighed_way",
    "pace",
    "least_var",
    "rest_a",
    "rest_var",
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
    "mean_slope_v",
    "sigma_r",
    "capacity_sigma",
    "hint_doubt",
    "table_doubt",
    "startup_s",
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

I_BEGUN, I_MODE, I_LAST, I_WINDOW, I_ROWS, I_RESTARTS, I_TABLE = range(7)
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
    R_WARM,
    R_WAIT_S,
    R_WAIT_MOVED,
    R_WAIT_WAY,
    R_WAIT_NOISE,
    R_X4,
    R_HEARD_U,
    R_HEARD_N,
    R_HEARD_D,
    R_HEARD_P,
    R_HEARD_WAY,
    R_HEARD_S,
    R_BELIEF,
    R_LEAN,
    R_LEAN_VAR,
    R_HOURS,
    R_WAY,
    R_UNWEIGHED_S,
    R_UNWEIGHED_WAY,
    R_PACE,
    R_LEAST_VAR,
    R_REST_A,
    R_REST_VAR,
) = range(55)
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
    C_SLOPE,
    C_SR,
    C_SCAP,
    C_DOUBT,
    C_TABLE,
    C_STARTUP,
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
) = range(29)
GATE = 5.0
# Over so much of SOC the remainder between the knots stays alike.
KINK_LENGTH = 0.06
# The covariance is carried on, and voltage looked at, no more often than this (s): errors of the
# circuit last for minutes.
EVERY_S = 0.95
# What a pass over a knot leaves unexplained (V).
PASS_V = 0.015
# An unmeasured current stays alike for half an hour (a ride, a charge).
MISSING_TAU_S = 1800.0
# Once running, a contradiction is looked at for so long before the hypotheses decide: a knee is
# short.
RESTART_S = 15.0
# Activation energies of cells of one chemistry differ by 6 kJ/mol (22 to 36 measured), over R.
ACTIVATION_SIGMA_K = 722.0
# What the hypotheses heard, by the charge that had moved (times the capacity): sums of the weight
# and of weight times the rest, but for the passes.
BIN_WIDTH, BINS = 0.025, 96
(
    N_WEIGHT,
    N_VOLTS,
    N_SHIFT,
    N_HOURS,
    N_LAG_A,
    N_HYST,
    N_POLARISED,
    N_MOVING,
    N_PASSES,
) = range(9)
FIELDS = 9
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
# No data sheet is wrong by more than so many of its sigmas (capacity and gain, current offset).
SHEET = 2.5
